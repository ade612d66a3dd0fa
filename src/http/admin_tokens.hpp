// src/http/admin_tokens.hpp - who may do what on the admin routes: named tokens with scopes
#pragma once

#include "http/admin_token.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

/// What a token may be used for. `all` is every other one, and those to come.
enum class AdminScope : std::uint8_t { read, stock, dlq, breaker, all };
inline constexpr std::array admin_scopes{
    AdminScope::read, AdminScope::stock, AdminScope::dlq, AdminScope::breaker, AdminScope::all};
[[nodiscard]] std::string_view name(AdminScope scope);
[[nodiscard]] std::optional<AdminScope> admin_scope_from(std::string_view name);

/// One token as it is kept: never itself, only its SHA-256.
struct AdminEntry {
    using Digest = std::array<unsigned char, 32>;

    std::string name;     ///< goes into the audit; two tokens may share one while they change
    unsigned scopes = 0;  ///< bits 1 << AdminScope
    Digest digest{};

    [[nodiscard]] bool may(AdminScope scope) const;
};

/// Who asked.
struct Admin {
    std::string name;
};

enum class AdminFault : std::uint8_t {
    unknown,     // no token, or none of ours
    not_scoped,  // ours, for something else
};

inline constexpr std::size_t admin_entries_max = 100;
inline constexpr std::string_view default_admin_name = "admin";

/// The entry of the one token of admin.token_file: everything, as `admin`.
[[nodiscard]] AdminEntry admin_entry_of(const AdminToken& token);

/// Reads admin.tokens_file: lines `name scope[,scope...] secret`, the secret as itself or as
/// sha256:<64 hex digits>; empty lines and those that begin with # count for nothing.
///
/// Errors   which line, and what it must be; never the secret. Also a file others may read
[[nodiscard]] std::expected<std::vector<AdminEntry>, TokenError> load_admin_tokens(
    const std::filesystem::path& file
);
[[nodiscard]] std::expected<std::vector<AdminEntry>, std::string> parse_admin_tokens(
    std::string_view text
);

/// Thread   any
class AdminTokens {
public:
    explicit AdminTokens(std::vector<AdminEntry> entries);

    explicit AdminTokens(const AdminToken& token)
        : AdminTokens(std::vector<AdminEntry>{admin_entry_of(token)}) {}

    /// Compares with every entry, all bytes of each, whatever matches.
    ///
    /// Source   CRYPTO_memcmp
    [[nodiscard]] std::expected<Admin, AdminFault> find(
        std::optional<std::string_view> presented, AdminScope wanted
    ) const;

    /// Other tokens from now on.
    void replace(std::vector<AdminEntry> entries);

private:
    using Entries = std::shared_ptr<const std::vector<AdminEntry>>;

    mutable std::mutex mutex_;  // of the pointer alone
    Entries entries_;
};

}  // namespace firstcome::http
