import unittest

import greeting


class Greeting(unittest.TestCase):
    def test_is_installed(self):
        self.assertEqual(greeting.WORD, "greeting")
