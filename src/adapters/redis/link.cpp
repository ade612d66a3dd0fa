// src/adapters/redis/link.cpp - one server, logged in: requests out, replies in
#include "adapters/redis/link.hpp"

#include <initializer_list>
#include <string_view>
#include <utility>

namespace firstcome::redis {

namespace {

using List = std::initializer_list<std::string_view>;

std::unexpected<Failure> failed(CommandError error, std::string text) {
    return std::unexpected(Failure{.error = error, .text = std::move(text)});
}

}  // namespace

Result<std::unique_ptr<Link>> Link::open(
    const Address& address, const Login& login, const TlsContext* tls, const Deadline& deadline
) {
    std::unique_ptr<Link> link{new Link(address)};
    if (auto opened = link->stream_.open(address, tls, deadline); !opened) {
        return std::unexpected(Failure{
            .error = CommandError::not_sent,
            .text = "no connection to " + text_of(address) + ": " + opened.error(),
            .distrusted = link->stream_.distrusts()});
    }
    if (auto done = link->log_in(login, deadline); !done) return std::unexpected(done.error());
    return link;
}

Result<void> Link::log_in(const Login& login, const Deadline& deadline) {
    Requests requests;
    const bool named = !login.user.empty();
    const bool asked = named || !login.password.empty();
    if (named) requests.command(List{"AUTH", login.user, login.password});
    if (asked && !named) requests.command(List{"AUTH", login.password});
    if (login.database != 0) requests.command(List{"SELECT", std::to_string(login.database)});
    requests.command(List{"INFO"});
    const std::size_t needed = requests.count();
    requests.command(List{"CLIENT", "SETNAME", login.client_name});
    auto replies = exchange(requests, deadline);
    if (!replies) return failed(CommandError::not_sent, replies.error().text);
    for (std::size_t at = 0; at < needed; ++at) {
        const Reply& reply = replies->at(at);
        if (reply.is(Reply::Kind::error)) return failed(error_of(reply.text), reply.text);
    }
    // The name only helps whoever reads CLIENT LIST: a user without that right may do without.
    server_ = server_of(server_.address, replies->at(needed - 1).text);
    return {};
}

Result<std::vector<Reply>> Link::exchange(const Requests& requests, const Deadline& deadline) {
    if (auto written = stream_.write(requests.bytes(), deadline); !written) {
        // A command that has not gone out whole is not executed; of several the first may have.
        const bool one = requests.count() == 1;
        return failed(
            one ? CommandError::not_sent : CommandError::outcome_unknown,
            text_of(server_.address) + ": " + written.error()
        );
    }
    std::vector<Reply> replies;
    replies.reserve(requests.count());
    while (replies.size() < requests.count()) {
        auto reply = receive(deadline);
        // A server that turns us away says why to the first request, and hangs up.
        const bool told = !replies.empty() && replies.front().is(Reply::Kind::error);
        if (!reply && told) reply.error().text += ": " + replies.front().text;
        if (!reply) return std::unexpected(reply.error());
        replies.push_back(*std::move(reply));
    }
    return replies;
}

Result<Reply> Link::receive(const Deadline& deadline) {
    while (true) {
        auto reply = reader_.next();
        if (!reply) {
            return failed(
                CommandError::outcome_unknown, text_of(server_.address) + ": " + reply.error()
            );
        }
        if (*reply) return **std::move(reply);
        const auto got = stream_.read(buffer_, deadline);
        if (!got) {
            return failed(
                CommandError::outcome_unknown, text_of(server_.address) + ": " + got.error()
            );
        }
        reader_.feed(std::span{buffer_}.first(*got));
    }
}

}  // namespace firstcome::redis
