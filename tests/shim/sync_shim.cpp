// tests/shim/sync_shim.cpp - LD_PRELOAD: a disk that has synced at once
//
// What a process has written outlives its kill -9 without any sync. But while a sync takes long,
// Redis (appendfsync everysec) answers before it has written, for up to two seconds: what a test
// then misses was lost by the disk of the machine it runs on.
extern "C" {

int fsync(int /*file*/) {
    return 0;
}

int fdatasync(int /*file*/) {
    return 0;
}

}  // extern "C"
