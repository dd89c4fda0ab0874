"""What is said."""
import unittest

from greeting import greeting


class Greeting(unittest.TestCase):
    def test_says_where_it_comes_from(self):
        self.assertEqual(greeting(), "Hello from NAME.")
