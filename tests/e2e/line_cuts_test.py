# tests/e2e/line_cuts_test.py - a buyer's line breaks at each byte; the same key tells the truth
import os
import unittest

import auditor
from harness import FULL, Connection, ConnectionClosed, body_hash, request_bytes, wait_until
from many_nodes import Distributed

STEP = 1 if FULL else 17


class LineCuts(Distributed):
    def setUp(self):
        # Embedded needs no stores, and both modes are asked the same.
        if "embedded" in self.id():
            super(Distributed, self).setUp()
            self.heard = []
        else:
            super().setUp()

    def test_embedded(self):
        data = os.path.join(self.scratch, "data")
        server = self.start_server(data=data)
        client = server.client()
        client.set_stock("drop", 100_000, perUserLimit=2)
        self.cut_everywhere(server, "embedded")
        stocks = [client.stock("drop")]
        client.close()
        server.stop()
        auditor.assert_clean(self.heard, data, stocks=stocks)

    def test_distributed(self):
        server = self.start_node()
        self.sells("drop", 100_000, perUserLimit=2)
        self.cut_everywhere(server, "distributed")
        self.audit(self.heard, "drop")

    def cut_everywhere(self, server, mode):
        self.client = server.client()
        self.addCleanup(self.client.close)
        size = len(self.request("size"))
        row = self.fault(f"buyer's connection cut at every byte of the request, {mode}")
        for offset in range(0, size + 1, STEP):
            self.cut_asking(server, offset)
            row.survived()
        row = self.fault(f"buyer's connection cut at every byte of the answer, {mode}")
        size = self.cut_hearing(server, 1)
        for offset in range(0, size, STEP):
            self.cut_hearing(server, offset)
            row.survived()

    def request(self, user):
        body = {"userId": user, "itemId": "drop", "quantity": 1}
        return request_bytes("POST", "/api/v1/orders", body, {"Idempotency-Key": user})

    def cut_asking(self, server, offset):
        """By reset and by end in turn; a request that is whole may be decided, a part never is."""
        user = f"asks-{offset:05}"
        raw = self.request(user)
        with Connection(server.address) as connection:
            connection.send(raw[:offset])
            if offset % 2:
                connection.reset()
        whole = offset == len(raw)
        again = self.hear_truth(user)
        if not whole:
            self.assertFalse(again.replayed, f"decided after {offset} of {len(raw)} bytes")

    def cut_hearing(self, server, offset):
        user = f"hears-{offset:05}"
        with Connection(server.address) as connection:
            connection.send(self.request(user))
            part = self.read_some(connection, offset)
            if offset % 2:
                connection.reset()
        again = self.hear_truth(user)
        self.assertEqual(len(part), offset)
        if offset:
            self.assertTrue(again.replayed, "it had been told, in part")
        return len(again.raw_head) + 4 + len(again.body) - len("Idempotent-Replayed: true\r\n")

    def read_some(self, connection, count):
        data = b""
        while len(data) < count:
            piece = connection.socket.recv(count - len(data))
            if not piece:
                raise ConnectionClosed(data)
            data += piece
        return data

    def hear_truth(self, user):
        self.heard.append(auditor.Answer(user, user, "drop", 1, auditor.UNKNOWN))

        def told():
            answer = self.client.order(user, "drop", key=user)
            return answer if answer.status == 202 else None
        answer = wait_until(told, f"{user} hears the truth")
        order = answer.json()
        self.heard.append(auditor.Answer(
            user, user, "drop", 1, 202, order_id=order["orderId"], sequence=order["sequence"],
            replayed=answer.replayed, body_hash=body_hash(answer.body),
        ))
        again = self.client.order(user, "drop", key=user)
        self.assertEqual((again.status, again.body, again.replayed), (202, answer.body, True))
        return answer


if __name__ == "__main__":
    unittest.main()
