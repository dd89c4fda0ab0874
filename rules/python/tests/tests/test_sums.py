import unittest

from shop.sums import cost


class Cost(unittest.TestCase):
    def test_is_a_multiple(self):
        self.assertEqual(cost(4), 12)

    def test_finds_its_data(self):
        with open("tests/words.txt", encoding="utf-8") as words:
            self.assertEqual(words.read(), "words\n")
