// tests/adapters/postgres/own_server.hpp - a server that tests may kill, and that asks for
// passwords
#pragma once

#include "tests/support/servers.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace firstcome::test {

/// `firstcome` is trusted, everybody else needs a password.
struct OwnServer {
    static std::string rules(const TempDir& dir) {
        const std::filesystem::path path = dir.path() / "pg_hba.conf";
        std::ofstream(path) << "host all firstcome 127.0.0.1/32 trust\n"
                               "host all all 127.0.0.1/32 scram-sha-256\n";
        std::filesystem::permissions(dir.path(), std::filesystem::perms{0755});
        return "hba_file=" + path.string();
    }

    TempDir dir;
    PostgresServer postgres{{"-c", rules(dir)}};
};

inline OwnServer& own_server() {
    static OwnServer server;
    return server;
}

}  // namespace firstcome::test
