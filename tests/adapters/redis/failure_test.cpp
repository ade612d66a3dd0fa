// tests/adapters/redis/failure_test.cpp - which errors of a server are worth asking again
#include "adapters/redis/failure.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace firstcome::redis {

TEST(ErrorOf, TellsWhatPassesFromWhatStays) {
    struct Row {
        std::string_view text;
        CommandError error;
    };

    const Row rows[] = {
        {"LOADING Redis is loading the dataset in memory", CommandError::not_sent},
        {"BUSY Redis is busy running a script", CommandError::not_sent},
        {"BUSYGROUP Consumer Group name already exists", CommandError::refused},
        {"CLUSTERDOWN Hash slot not served", CommandError::not_sent},
        {"TRYAGAIN Multiple keys request during rehashing of slot", CommandError::not_sent},
        {"MASTERDOWN Link with MASTER is down", CommandError::not_sent},
        {"NOREPLICAS Not enough good replicas to write.", CommandError::not_sent},
        {"ERR max number of clients reached", CommandError::not_sent},
        {"OOM command not allowed when used memory > 'maxmemory'.", CommandError::refused},
        {"UNKILLABLE Sorry the script already executed write commands", CommandError::refused},
        {"NOPERM this user has no permissions", CommandError::refused},
        {"ERR unknown command", CommandError::refused},
        {"", CommandError::refused},
    };
    for (const Row& row : rows) EXPECT_EQ(error_of(row.text), row.error) << row.text;
}

TEST(Failure, HasTheServersCode) {
    EXPECT_EQ((Failure{CommandError::refused, "OOM command not allowed"}).code(), "OOM");
    EXPECT_EQ((Failure{CommandError::refused, "TRYAGAIN"}).code(), "TRYAGAIN");
    EXPECT_EQ(Failure{}.code(), "");
}

}  // namespace firstcome::redis
