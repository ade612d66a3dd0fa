# tests/e2e/differential_test.py - place.lua and the rules answer a million requests alike
import os
import subprocess
import unittest

from harness import FULL, ROOT, SEED, EndToEnd, estimated

REQUESTS = 1_000_000
BINARY = os.path.join(ROOT, "build", "dev", "adapters_redis_test")


class Differential(EndToEnd):
    @estimated(minutes=2)
    def test_place_lua_agrees_with_the_rules(self):
        if not FULL:
            self.skipTest("60,000 requests: PlaceScript of adapters_redis_test")
        row = self.fault("random requests: place.lua beside the rules, each outcome and figure")
        asked = {
            "FIRSTCOME_DIFFERENTIAL_REQUESTS": str(REQUESTS),
            "FIRSTCOME_DIFFERENTIAL_SEED": str(SEED),
        }
        done = subprocess.run(
            [BINARY, "--gtest_filter=PlaceScript.*"], env={**os.environ, **asked},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            timeout=1500,
        )
        said = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, 0, f"{asked}\n{said[-4000:]}")
        row.survived(count=REQUESTS)


if __name__ == "__main__":
    unittest.main()
