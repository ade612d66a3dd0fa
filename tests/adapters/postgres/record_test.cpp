// tests/adapters/postgres/record_test.cpp - the contract on PostgreSQL, and what only it can do
#include "adapters/postgres/record.hpp"

#include "tests/adapters/postgres/world.hpp"
#include "tests/contract/system_of_record_contract.hpp"

namespace firstcome::test {

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, SystemOfRecordContract, PostgresWorld);

}  // namespace firstcome::test
