// src/cli/bench_request.hpp - requests rendered once; what differs per order is patched digits
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::cli {

/// What is asked, and what the answer must therefore be.
enum class Kind : std::uint8_t { fresh, repeated, reused, over_limit, unknown_item };

/// Every order of a run has a serial number; its user and key follow from it, so nothing needs to
/// be remembered to send it again.
struct Naming {
    std::string run_tag;      ///< 8 hex characters, new for each run: keys never meet older ones
    std::uint64_t users = 0;  ///< 0: every order has its own user

    static constexpr std::uint64_t first_user = 1'000'000'000'000;
    static constexpr std::size_t user_digits = 13;
    static constexpr std::size_t serial_digits = 12;
    static constexpr std::size_t key_size = 8 + 1 + serial_digits;

    [[nodiscard]] std::uint64_t user(std::uint64_t serial) const {
        return first_user + (users == 0 ? serial : serial % users);
    }

    /// Tag, a letter, twelve digits. A second order of a serial's user has another letter.
    [[nodiscard]] std::string key(Kind kind, std::uint64_t serial) const;
};

struct RequestShape {
    std::string host{};
    std::string item{};
    int quantity = 1;
    bool keys = true;
};

/// A call for one order or, with `batch` above 1, for that many with serial numbers in a row.
///
/// Thread   one per instance
class RequestTemplate {
public:
    RequestTemplate(
        const RequestShape& shape, const Naming& naming, char key_letter, unsigned batch
    );

    /// Appends the bytes of the call for `serial` (and the `batch - 1` after it).
    void append(std::string& out, std::uint64_t serial) const;

private:
    struct Slot {
        std::size_t user = 0;  // where the digits stand in text_
        std::size_t key = 0;
    };

    void render_single(const RequestShape& shape);
    void render_batch(const RequestShape& shape, unsigned batch);

    Naming naming_;
    std::string key_start_;
    bool keys_;
    std::string text_;
    std::vector<Slot> slots_;
};

/// All templates of a run.
class RequestTemplates {
public:
    RequestTemplates(RequestShape shape, const Naming& naming, unsigned batch);

    void append(std::string& out, Kind kind, std::uint64_t serial) const {
        of_kind(kind).append(out, serial);
    }

    [[nodiscard]] std::string_view item(Kind kind) const;
    [[nodiscard]] int quantity(Kind kind) const;

    [[nodiscard]] bool keys() const { return shape_.keys; }

    [[nodiscard]] const Naming& naming() const { return naming_; }

private:
    [[nodiscard]] const RequestTemplate& of_kind(Kind kind) const;

    RequestShape shape_;
    RequestShape more_;     // the same with one unit more: another payload
    RequestShape nowhere_;  // of an item that does not exist
    Naming naming_;
    RequestTemplate order_;
    RequestTemplate reused_;
    RequestTemplate over_limit_;
    RequestTemplate unknown_item_;
};

}  // namespace firstcome::cli
