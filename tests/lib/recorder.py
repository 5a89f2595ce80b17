"""What left an interface, taken by the kernel beside the product."""

import socket
import threading

# Room for what comes while Python is busy elsewhere: a recorder that drops proves nothing.
RECEIVE_BUFFER_BYTES = 64 << 20
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3


class Recorder:
    """Every UDP payload for `port` that leaves an interface of a namespace, over IPv4 and
    unfragmented."""

    def __init__(self, namespace, interface, port):
        self.payloads = []
        self.port = port
        self.socket = namespace.call(
            lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.1)
        self.ended = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            try:
                packet, source = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            outgoing = source[2] == socket.PACKET_OUTGOING
            if not outgoing or len(packet) < 28 or packet[0] != 0x45 or packet[9] != 17:
                continue
            if int.from_bytes(packet[22:24], "big") == self.port:
                length = int.from_bytes(packet[24:26], "big")
                self.payloads.append(packet[28:20 + length])

    def close(self):
        self.ended = True
        self.thread.join()
        self.socket.close()
