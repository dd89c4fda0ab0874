import price_table


def cost(apples):
    return apples * price_table.apple
