// src/http/admin_tokens.cpp - who may do what on the admin routes: named tokens with scopes
#include "http/admin_tokens.hpp"

#include "base/assert.hpp"
#include "base/private_file.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <utility>

namespace firstcome::http {

namespace {

constexpr std::size_t file_size_max = std::size_t{256} * 1024;
constexpr std::size_t name_size_max = 64;
constexpr std::string_view digest_prefix = "sha256:";

unsigned bit(AdminScope scope) {
    return 1U << static_cast<unsigned>(scope);
}

AdminEntry::Digest digest_of(std::string_view token) {
    AdminEntry::Digest digest{};
    const int made =
        EVP_Digest(token.data(), token.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    FC_ASSERT(made == 1);
    return digest;
}

std::optional<AdminEntry::Digest> digest_from_hex(std::string_view hex) {
    AdminEntry::Digest digest{};
    if (hex.size() != digest.size() * 2) return std::nullopt;
    constexpr std::string_view digits = "0123456789abcdef";
    for (std::size_t at = 0; at < hex.size(); ++at) {
        const auto digit = digits.find(hex[at]);
        if (digit == std::string_view::npos) return std::nullopt;
        const unsigned before = digest[at / 2];
        digest[at / 2] = static_cast<unsigned char>(before << 4U | digit);
    }
    return digest;
}

/// Takes the first word off `line`.
std::string_view next_word(std::string_view& line) {
    const auto first = std::min(line.find_first_not_of(" \t\r"), line.size());
    line.remove_prefix(first);
    const auto end = std::min(line.find_first_of(" \t\r"), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end);
    return word;
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= name_size_max && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == ':' || c == '-';
    });
}

std::optional<unsigned> scopes_from(std::string_view list) {
    unsigned scopes = 0;
    while (true) {
        const auto comma = std::min(list.find(','), list.size());
        const auto scope = admin_scope_from(list.substr(0, comma));
        if (!scope) return std::nullopt;
        scopes |= bit(*scope);
        if (comma == list.size()) return scopes;
        list.remove_prefix(comma + 1);
    }
}

std::optional<AdminEntry::Digest> digest_in(std::string_view secret) {
    if (secret.starts_with(digest_prefix)) {
        return digest_from_hex(secret.substr(digest_prefix.size()));
    }
    const bool is_visible =
        std::ranges::all_of(secret, [](char c) { return c >= 0x21 && c <= 0x7E; });
    if (!is_visible || secret.size() < admin_token_size_min) return std::nullopt;
    if (secret.size() > admin_token_size_max) return std::nullopt;
    return digest_of(secret);
}

std::expected<AdminEntry, std::string_view> entry_in(std::string_view line) {
    const std::string_view who = next_word(line);
    const std::string_view scopes = next_word(line);
    const std::string_view secret = next_word(line);
    if (!next_word(line).empty() || secret.empty()) {
        return std::unexpected("must be: name scope[,scope...] token");
    }
    if (!is_name(who)) return std::unexpected("the name must be 1-64 of A-Z a-z 0-9 . _ : -");
    const auto allowed = scopes_from(scopes);
    if (!allowed) return std::unexpected("scopes are read, stock, dlq, breaker, all");
    const auto digest = digest_in(secret);
    if (!digest) {
        return std::unexpected(
            "the token must be at least 16 visible ASCII characters, or sha256: and 64 hex digits "
            "in lower case"
        );
    }
    return AdminEntry{.name = std::string{who}, .scopes = *allowed, .digest = *digest};
}

}  // namespace

std::string_view name(AdminScope scope) {
    switch (scope) {
        case AdminScope::read: return "read";
        case AdminScope::stock: return "stock";
        case AdminScope::dlq: return "dlq";
        case AdminScope::breaker: return "breaker";
        case AdminScope::all: return "all";
    }
    FC_UNREACHABLE();
}

std::optional<AdminScope> admin_scope_from(std::string_view text) {
    const auto found =
        std::ranges::find(admin_scopes, text, [](auto scope) { return name(scope); });
    if (found == admin_scopes.end()) return std::nullopt;
    return *found;
}

bool AdminEntry::may(AdminScope scope) const {
    return (scopes & (bit(scope) | bit(AdminScope::all))) != 0;
}

AdminEntry admin_entry_of(const AdminToken& token) {
    return {
        .name = std::string{default_admin_name},
        .scopes = bit(AdminScope::all),
        .digest = digest_of(token.text())};
}

std::expected<std::vector<AdminEntry>, std::string> parse_admin_tokens(std::string_view text) {
    std::vector<AdminEntry> entries;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        std::string_view rest = line;
        const std::string_view first = next_word(rest);
        if (first.empty() || first.starts_with('#')) continue;
        auto entry = entry_in(line);
        const auto refuse = [number](std::string_view why) {
            return std::unexpected(fmt::format("line {}: {}", number, why));
        };
        if (!entry) return refuse(entry.error());
        const auto twice = std::ranges::find(entries, entry->digest, &AdminEntry::digest);
        if (twice != entries.end()) return refuse("this token is there already");
        if (entries.size() == admin_entries_max) {
            return refuse(fmt::format("more than {} tokens", admin_entries_max));
        }
        entries.push_back(std::move(*entry));
    }
    return entries;
}

std::expected<std::vector<AdminEntry>, TokenError> load_admin_tokens(
    const std::filesystem::path& file
) {
    const auto refuse = [&](std::string_view why) {
        return std::unexpected(TokenError{
            fmt::format("admin.tokens_file {}: {}", file.string(), why)});
    };
    const auto text = base::read_whole_file(file, file_size_max, base::Readers::owner_only);
    if (!text) return refuse(text.error());
    auto entries = parse_admin_tokens(*text);
    if (!entries) return refuse(entries.error());
    return std::move(*entries);
}

AdminTokens::AdminTokens(std::vector<AdminEntry> entries)
    : entries_(std::make_shared<const std::vector<AdminEntry>>(std::move(entries))) {}

std::expected<Admin, AdminFault> AdminTokens::find(
    std::optional<std::string_view> presented, AdminScope wanted
) const {
    if (!presented) return std::unexpected(AdminFault::unknown);
    Entries entries;
    {
        const std::lock_guard lock{mutex_};
        entries = entries_;
    }
    const AdminEntry::Digest digest = digest_of(*presented);
    const AdminEntry* found = nullptr;
    for (const AdminEntry& entry : *entries) {
        const bool same = CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0;
        if (same) found = &entry;
    }
    if (found == nullptr) return std::unexpected(AdminFault::unknown);
    if (!found->may(wanted)) return std::unexpected(AdminFault::not_scoped);
    return Admin{.name = found->name};
}

void AdminTokens::replace(std::vector<AdminEntry> entries) {
    auto next = std::make_shared<const std::vector<AdminEntry>>(std::move(entries));
    const std::lock_guard lock{mutex_};
    entries_ = std::move(next);
}

}  // namespace firstcome::http
