// src/http/admin_token.cpp - the admin token: compare, read, make
#include "http/admin_token.hpp"

#include "base/assert.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace firstcome::http {

namespace {

constexpr mode_t owner_only = 0600;
constexpr std::size_t random_words = 4;  // 32 bytes

class FileDescriptor {
public:
    explicit FileDescriptor(int number) : number_(number) {}

    ~FileDescriptor() {
        if (number_ >= 0) ::close(number_);
    }

    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    [[nodiscard]] bool is_open() const { return number_ >= 0; }

    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

bool is_visible(char c) {
    return c >= 0x21 && c <= 0x7E;
}

bool is_token(std::string_view text, std::size_t size_max = admin_token_size_max) {
    return !text.empty() && text.size() <= size_max &&
           std::all_of(text.begin(), text.end(), is_visible);
}

std::unexpected<TokenError> refuse(const std::filesystem::path& file, std::string_view why) {
    std::string text = "admin token file ";
    text += file.string();
    text += ": ";
    text += why;
    return std::unexpected(TokenError{std::move(text)});
}

std::unexpected<TokenError> refuse_errno(
    const std::filesystem::path& file, std::string_view what, int error
) {
    std::string why{what};
    why += ": ";
    why += std::strerror(error);
    return refuse(file, why);
}

/// Reads up to `max` bytes; nothing (and errno) when that fails.
std::optional<std::string> read_up_to(int descriptor, std::size_t max) {
    std::string text(max, '\0');
    std::size_t size = 0;
    while (size < max) {
        const ssize_t got = ::read(descriptor, text.data() + size, max - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

bool write_whole(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

std::string new_token(base::Entropy& entropy) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string token;
    for (std::size_t word = 0; word < random_words; ++word) {
        const std::uint64_t value = entropy.next();
        for (unsigned shift = 0; shift < 64; shift += 4) token += digits[(value >> shift) & 0xFU];
    }
    return token;
}

/// Makes the file whole or not at all: written under another name, synced, then linked. A file
/// that came into being meanwhile stays.
std::expected<void, TokenError> create_token_file(
    const std::filesystem::path& file, base::Entropy& entropy
) {
    std::filesystem::path unfinished = file;
    unfinished += ".new";
    ::unlink(unfinished.c_str());
    {
        const FileDescriptor output{
            ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, owner_only)};
        if (!output.is_open()) {
            return refuse_errno(
                file, "cannot be made; create its directory and let the service write there", errno
            );
        }
        const std::string text = new_token(entropy) + "\n";
        if (!write_whole(output.number(), text) || ::fsync(output.number()) != 0) {
            return refuse_errno(file, "cannot be written; make room on the disk", errno);
        }
    }
    const bool linked = ::link(unfinished.c_str(), file.c_str()) == 0;
    const int link_error = errno;
    ::unlink(unfinished.c_str());
    if (!linked && link_error != EEXIST) {
        return refuse_errno(file, "cannot be made", link_error);
    }
    const std::filesystem::path directory = file.has_parent_path() ? file.parent_path() : ".";
    const FileDescriptor folder{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder.is_open() || ::fsync(folder.number()) != 0) {
        return refuse_errno(file, "cannot be made durable", errno);
    }
    return {};
}

}  // namespace

AdminToken::AdminToken(std::string token) : token_(std::move(token)) {
    FC_ASSERT(is_token(token_));
}

bool AdminToken::matches(std::string_view presented) const {
    // A wrong length is compared too, with the token itself, so that it takes no less time.
    const bool same_size = presented.size() == token_.size();
    const char* against = same_size ? presented.data() : token_.data();
    const bool same_bytes = CRYPTO_memcmp(token_.data(), against, token_.size()) == 0;
    return same_size && same_bytes;
}

std::optional<std::string_view> bearer_token(std::string_view authorization) {
    constexpr std::string_view scheme = "bearer ";
    if (authorization.size() <= scheme.size()) return std::nullopt;
    for (std::size_t at = 0; at < scheme.size(); ++at) {
        const char c = authorization[at];
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (lower != scheme[at]) return std::nullopt;
    }
    std::string_view token = authorization.substr(scheme.size());
    while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
    while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
    if (!is_token(token, bearer_token_size_max)) return std::nullopt;
    return token;
}

std::expected<AdminToken, TokenError> load_admin_token(const std::filesystem::path& file) {
    const FileDescriptor input{::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    if (!input.is_open()) {
        return refuse_errno(file, "cannot be read; check admin.token_file and its owner", errno);
    }

    struct stat facts {};

    if (::fstat(input.number(), &facts) != 0) {
        return refuse_errno(file, "cannot be read", errno);
    }
    if (!S_ISREG(facts.st_mode)) return refuse(file, "is not a file; name a file");
    if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refuse(
            file,
            "is open to other users; run chmod 600 on it, or delete it to get a new token if "
            "somebody may have read it"
        );
    }
    std::optional<std::string> text = read_up_to(input.number(), admin_token_size_max + 1);
    if (!text) return refuse_errno(file, "cannot be read", errno);
    const std::size_t last = text->find_last_not_of(" \t\r\n");
    text->resize(last == std::string::npos ? 0 : last + 1);
    if (text->empty()) {
        return refuse(file, "is empty; write a token into it, or delete it to get a new one");
    }
    if (!is_token(*text)) {
        return refuse(
            file,
            "does not hold one token; it must be one line of at most 4096 visible ASCII "
            "characters. Correct it, or delete it to get a new one"
        );
    }
    if (text->size() < admin_token_size_min) {
        return refuse(
            file,
            "holds a token of less than 16 characters, which can be guessed; write a longer one, "
            "or delete it to get a new one"
        );
    }
    return AdminToken{*std::move(text)};
}

std::expected<AdminToken, TokenError> load_or_create_admin_token(
    const std::filesystem::path& file, base::Entropy& entropy
) {
    struct stat facts {};

    if (::stat(file.c_str(), &facts) != 0 && errno == ENOENT) {
        const std::expected<void, TokenError> created = create_token_file(file, entropy);
        if (!created) return std::unexpected(created.error());
    }
    return load_admin_token(file);
}

}  // namespace firstcome::http
