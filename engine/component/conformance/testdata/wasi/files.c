// wasi:filesystem. The folder /data has a file "here", of "what is here".
#include "streams.h"

#define TYPES "wasi:filesystem/types"
#define METHOD(name) IMPORT(TYPES, "[method]descriptor." name)

IMPORT("wasi:filesystem/preopens", "get-directories") void get_directories(void *);
METHOD("read-via-stream") void read_stream(handle, uint64_t, void *);
METHOD("write-via-stream") void write_stream(handle, uint64_t, void *);
METHOD("append-via-stream") void append_stream(handle, void *);
METHOD("advise") void advise(handle, uint64_t, uint64_t, int32_t, void *);
METHOD("sync-data") void sync_data(handle, void *);
METHOD("get-flags") void get_flags(handle, void *);
METHOD("get-type") void get_type(handle, void *);
METHOD("set-size") void set_size(handle, uint64_t, void *);
METHOD("set-times") void set_times(handle, int32_t, uint64_t, int32_t, int32_t, uint64_t, int32_t, void *);
METHOD("read") void read_at(handle, uint64_t, uint64_t, void *);
METHOD("write") void write_at(handle, const char *, size_t, uint64_t, void *);
METHOD("read-directory") void read_directory(handle, void *);
METHOD("sync") void sync_all(handle, void *);
METHOD("create-directory-at") void create_directory(handle, const char *, size_t, void *);
METHOD("stat") void stat_of(handle, void *);
METHOD("stat-at") void stat_at(handle, int32_t, const char *, size_t, void *);
METHOD("set-times-at") void set_times_at(handle, int32_t, const char *, size_t, int32_t, uint64_t, int32_t, int32_t, uint64_t, int32_t, void *);
METHOD("link-at") void link_at(handle, int32_t, const char *, size_t, handle, const char *, size_t, void *);
METHOD("open-at") void open_at(handle, int32_t, const char *, size_t, int32_t, int32_t, void *);
METHOD("readlink-at") void readlink_at(handle, const char *, size_t, void *);
METHOD("remove-directory-at") void remove_directory(handle, const char *, size_t, void *);
METHOD("rename-at") void rename_at(handle, const char *, size_t, handle, const char *, size_t, void *);
METHOD("symlink-at") void symlink_at(handle, const char *, size_t, const char *, size_t, void *);
METHOD("unlink-file-at") void unlink_file(handle, const char *, size_t, void *);
METHOD("is-same-object") int32_t is_same(handle, handle);
METHOD("metadata-hash") void hash(handle, void *);
METHOD("metadata-hash-at") void hash_at(handle, int32_t, const char *, size_t, void *);
IMPORT(TYPES, "[method]directory-entry-stream.read-directory-entry") void read_entry(handle, void *);
IMPORT(TYPES, "[resource-drop]directory-entry-stream") void entries_drop(handle);
IMPORT(TYPES, "[resource-drop]descriptor") void descriptor_drop(handle);
IMPORT(TYPES, "filesystem-error-code") void file_error_code(handle, void *);

enum { FOLLOW = 1, CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, READ = 1, WRITE = 2, CHANGE = 32 };
enum { EXIST = 7, NO_ENTRY = 20, NOT_PERMITTED = 31 };
enum { IS_DIRECTORY = 3, IS_FILE = 6 };

#define FILES(name, well) HOLDS("wasi:filesystem/types [method]descriptor." name, well)

static int fine(void) { return out.b[0] == 0; }
static int fails(uint8_t code) { return out.b[0] == 1 && out.b[1] == code; }

static handle opened(handle dir, const char *name, int32_t how, int32_t rights) {
	open_at(dir, FOLLOW, name, length_of(name), how, rights, &out);
	return out.b[0] == 0 ? (handle)out.w[1] : 0;
}

// contents says whether a file is that, and ends there.
static int contents(handle file, const char *text, size_t n) {
	read_at(file, 100, 0, &out);
	int well = fine() && same(heap_text(out.w[1]), out.w[2], text, n);
	read_at(file, 100, n, &out);
	return well && fine() && out.w[2] == 0 && out.b[12] == 1;
}

static uint64_t size(handle file) {
	stat_of(file, &out);
	return fine() && out.b[8] == IS_FILE ? out.d[3] : (uint64_t)-1;
}

static void streams(handle file) {
	write_stream(file, 4, &out);
	handle s = (handle)out.w[1];
	FILES("write-via-stream", fine());
	output_write_flush(s, TEXT("streamed"), &out);
	output_drop(s);
	append_stream(file, &out);
	s = (handle)out.w[1];
	output_write_flush(s, TEXT("."), &out);
	output_drop(s);
	FILES("append-via-stream", contents(file, TEXT("somestreamed.")));
	read_stream(file, 4, &out);
	s = (handle)out.w[1];
	input_blocking_read(s, 8, &out);
	FILES("read-via-stream", fine() && same(heap_text(out.w[1]), out.w[2], TEXT("streamed")));
	input_drop(s);
}

static void times(handle dir, handle file) {
	set_times(file, 2, 1000000000, 5, 2, 1000000001, 6, &out);
	int well = fine();
	stat_of(file, &out);
	// data-access-timestamp at 32, data-modification-timestamp at 56
	FILES("set-times", well && out.b[56] == 1 && out.d[8] == 1000000001);
	set_times_at(dir, FOLLOW, TEXT("new/file"), 0, 0, 0, 2, 1000000002, 0, &out);
	well = fine();
	stat_at(dir, FOLLOW, TEXT("new/file"), &out);
	FILES("set-times-at", well && out.b[56] == 1 && out.d[8] == 1000000002);
}

static void hashes(handle dir, handle file) {
	hash(file, &out);
	uint64_t a = out.d[1], b = out.d[2];
	hash_at(dir, FOLLOW, TEXT("new/file"), &out);
	FILES("metadata-hash-at", fine() && out.d[1] == a && out.d[2] == b);
	hash_at(dir, FOLLOW, TEXT("here"), &out);
	FILES("metadata-hash", fine() && (out.d[1] != a || out.d[2] != b));
}

static void entries(handle dir) {
	read_directory(dir, &out);
	handle all = (handle)out.w[1];
	FILES("read-directory", fine());
	int found = 0;
	for (;;) {
		read_entry(all, &out);
		if (!fine() || out.b[4] == 0)
			break;
		if ((same(heap_text(out.w[3]), out.w[4], TEXT("here")) && out.b[8] == IS_FILE) ||
			(same(heap_text(out.w[3]), out.w[4], TEXT("new")) && out.b[8] == IS_DIRECTORY))
			found++;
	}
	HOLDS("wasi:filesystem/types [method]directory-entry-stream.read-directory-entry", found == 2);
	entries_drop(all);
	HOLDS("wasi:filesystem/types directory-entry-stream", found == 2);
}

static void links(handle dir) {
	symlink_at(dir, TEXT("new/file"), TEXT("link"), &out);
	if (fails(NOT_PERMITTED)) { // a host may have none
		FILES("symlink-at", 1);
		readlink_at(dir, TEXT("here"), &out);
		FILES("readlink-at", out.b[0] == 1);
	} else {
		FILES("symlink-at", fine());
		readlink_at(dir, TEXT("link"), &out);
		FILES("readlink-at", fine() && same(heap_text(out.w[1]), out.w[2], TEXT("new/file")));
		unlink_file(dir, TEXT("link"), &out);
	}
	link_at(dir, 0, TEXT("new/file"), dir, TEXT("hard"), &out);
	if (fine()) {
		stat_at(dir, 0, TEXT("hard"), &out);
		FILES("link-at", out.d[2] == 2);
		unlink_file(dir, TEXT("hard"), &out);
	} else {
		FILES("link-at", fails(NOT_PERMITTED));
	}
}

void explain(handle error);

// errors has a stream fail: it begins where no file has anything.
static void errors(handle dir, handle here) {
	open_at(dir, FOLLOW, TEXT("nothing"), 0, READ, &out);
	FILES("open-at", out.b[0] == 1 && out.b[4] == NO_ENTRY);
	read_stream(here, (uint64_t)1 << 63, &out);
	handle s = (handle)out.w[1];
	input_blocking_read(s, 1, &out);
	handle error = (handle)out.w[2];
	int well = out.b[0] == 1 && out.b[4] == 0;
	file_error_code(error, &out);
	HOLDS("wasi:filesystem/types filesystem-error-code", well && out.b[0] == 1);
	explain(error);
	input_drop(s);
}

void check_files(void) {
	get_directories(&out);
	const uint32_t *dirs = (const uint32_t *)(uintptr_t)out.w[0];
	HOLDS("wasi:filesystem/preopens get-directories", out.w[1] == 1 && same(heap_text(dirs[1]), dirs[2], TEXT("/data")));
	handle dir = (handle)dirs[0];

	create_directory(dir, TEXT("new"), &out);
	int well = fine();
	create_directory(dir, TEXT("new"), &out);
	FILES("create-directory-at", well && fails(EXIST));
	handle folder = opened(dir, "new", DIRECTORY, READ | CHANGE);
	handle file = opened(folder, "file", CREATE | EXCLUSIVE, READ | WRITE);
	handle here = opened(dir, "here", 0, READ);
	get_type(folder, &out);
	well = fine() && out.b[1] == IS_DIRECTORY;
	get_type(here, &out);
	FILES("get-type", well && fine() && out.b[1] == IS_FILE);
	get_flags(here, &out);
	well = fine() && (out.b[1] & 3) == READ;
	get_flags(file, &out);
	FILES("get-flags", well && fine() && (out.b[1] & 3) == (READ | WRITE));
	FILES("read", contents(here, TEXT("what is here")));
	write_at(file, TEXT("some words"), 0, &out);
	FILES("write", fine() && out.d[1] == 10 && contents(file, TEXT("some words")));
	set_size(file, 4, &out);
	FILES("set-size", fine() && contents(file, TEXT("some")));
	FILES("stat", size(file) == 4 && size(here) == 12);
	streams(file);
	sync_data(file, &out);
	FILES("sync-data", fine());
	sync_all(file, &out);
	FILES("sync", fine());
	advise(file, 0, 4, 0, &out);
	FILES("advise", fine());
	stat_at(dir, FOLLOW, TEXT("new/file"), &out);
	FILES("stat-at", fine() && out.b[8] == IS_FILE && out.d[3] == 13);
	times(dir, file);
	handle again = opened(dir, "new/file", 0, READ);
	FILES("is-same-object", is_same(file, again) == 1 && is_same(file, here) == 0);
	descriptor_drop(again);
	hashes(dir, file);
	entries(dir);
	links(dir);
	errors(dir, here);
	rename_at(dir, TEXT("new/file"), dir, TEXT("moved"), &out);
	well = fine();
	stat_at(dir, FOLLOW, TEXT("new/file"), &out);
	FILES("rename-at", well && out.b[0] == 1 && out.b[8] == NO_ENTRY);
	remove_directory(dir, TEXT("new"), &out);
	FILES("remove-directory-at", fine());
	unlink_file(dir, TEXT("moved"), &out);
	well = fine();
	unlink_file(dir, TEXT("moved"), &out);
	FILES("unlink-file-at", well && fails(NO_ENTRY));
	descriptor_drop(file), descriptor_drop(folder), descriptor_drop(here);
	HOLDS("wasi:filesystem/types descriptor", 1);
}
