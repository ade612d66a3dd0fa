#!/usr/bin/env bash
# tools/stores.sh - a Redis and a PostgreSQL of one's own, to try the distributed mode
#
# stores.sh start [DIRECTORY]   starts both on 127.0.0.1 and prints how to reach them
# stores.sh stop [DIRECTORY]    ends both, by their process ids; what they stored stays
#
# Nothing that runs here already is touched: own ports (FC_REDIS_PORT, default 17379, and
# FC_POSTGRES_PORT, default 17432), own directory. PostgreSQL refuses to run as root: then it runs
# as the user `postgres`, which must be able to reach the directory, hence /var/tmp.
set -euo pipefail

verb=${1:-}
directory=${2:-/var/tmp/firstcome-stores-$(id --user)}
redis_port=${FC_REDIS_PORT:-17379}
postgres_port=${FC_POSTGRES_PORT:-17432}

fail() {
    printf 'stores: %s\n' "$*" >&2
    exit 1
}

programs() {
    local found=(/usr/lib/postgresql/*/bin)
    [[ -x ${found[-1]}/initdb ]] || fail "PostgreSQL is not installed: ./dev setup stores"
    printf '%s' "${found[-1]}"
}

as_postgres() {
    if ((EUID == 0)); then
        setpriv --reuid postgres --regid postgres --clear-groups -- "$@"
    else
        "$@"
    fi
}

listens() {
    (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

alive() {
    [[ -s $1 ]] && kill -0 "$(head --lines 1 "$1")" 2>/dev/null
}

start_redis() {
    alive "$directory/redis.pid" && return
    listens "$redis_port" && fail "port $redis_port is taken: set FC_REDIS_PORT to another one"
    mkdir --parents "$directory/redis"
    redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$directory/redis" --save '' \
        --appendonly yes --appendfsync everysec --maxmemory-policy noeviction --daemonize yes \
        --pidfile "$directory/redis.pid" --logfile "$directory/redis.log" >/dev/null
}

start_postgres() {
    local data=$directory/postgres bin
    bin=$(programs)
    alive "$data/postmaster.pid" && return
    listens "$postgres_port" && fail "port $postgres_port is taken: set FC_POSTGRES_PORT to another"
    if [[ ! -s $data/PG_VERSION ]]; then
        mkdir --parents "$data"
        ((EUID != 0)) || chown postgres:postgres "$data"
        as_postgres "$bin/initdb" --pgdata "$data" --username firstcome --auth trust \
            --encoding UTF8 --no-locale --no-instructions >"$directory/initdb.log"
    fi
    as_postgres "$bin/pg_ctl" --silent --wait --pgdata "$data" --log "$data/server.log" --options \
        "-c port=$postgres_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start
    "$bin/psql" --no-psqlrc --quiet --tuples-only --dbname \
        "postgresql://firstcome@127.0.0.1:$postgres_port/postgres" --command \
        "SELECT 'CREATE DATABASE firstcome' WHERE NOT EXISTS
         (SELECT FROM pg_database WHERE datname = 'firstcome')" |
        "$bin/psql" --no-psqlrc --quiet --dbname \
            "postgresql://firstcome@127.0.0.1:$postgres_port/postgres"
}

start() {
    command -v redis-server >/dev/null || fail "Redis is not installed: ./dev setup stores"
    mkdir --parents "$directory"
    chmod 755 "$directory"
    start_redis
    start_postgres
    printf 'FIRSTCOME_REDIS_URL=redis://127.0.0.1:%s/0\n' "$redis_port"
    printf 'FIRSTCOME_POSTGRES_URL=postgresql://firstcome@127.0.0.1:%s/firstcome\n' "$postgres_port"
}

stop() {
    if alive "$directory/redis.pid"; then kill "$(cat "$directory/redis.pid")"; fi
    if alive "$directory/postgres/postmaster.pid"; then
        as_postgres "$(programs)/pg_ctl" --silent --wait --mode fast \
            --pgdata "$directory/postgres" stop
    fi
}

case $verb in
    start) start ;;
    stop) stop ;;
    *) fail "say start or stop; see the head of this file" ;;
esac
