"""Tests with a sender in one namespace, a node in another, and a cable between them."""

import unittest

from tests.lib.harness import Host, Node


class CableTest(unittest.TestCase):
    def setUp(self):
        self.host = Host(type(self).__name__.lower())
        self.addCleanup(self.host.close)
        self.sender = self.host.namespace("sender")
        self.receiver = self.host.namespace("node")

    def connect(self, queues=1, ipv6=False):
        """The sender is 10.77.0.2 at eth0, the node's interface is port0."""
        self.host.veth(self.sender, "eth0", self.receiver, "port0", queues=queues, ipv6=ipv6)
        self.sender.run("ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
        if ipv6:
            self.receiver.run("sysctl", "-qw", "net.ipv6.conf.port0.disable_ipv6=1")
            self.sender.run("ip", "address", "add", "fd77::2/64", "dev", "eth0", "nodad")

    def start(self, text):
        return Node(self.host, text, namespace=self.receiver).start()
