// Writes to FILE, through two buffers at once, until that fails; prints how much was written
// and the error's number in WASI. Then makes a folder, a file and a larger file, and prints
// their errors.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char a[3000], b[9000];

static int number(int result) { return result < 0 ? errno : 0; }

int main(int argc, char **argv) {
	char name[300];
	struct iovec parts[] = {{a, sizeof a}, {b, sizeof b}};
	long done = 0;
	int f = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC, 0600);
	if (f < 0) {
		printf("open %d\n", errno);
		return 1;
	}
	for (;;) {
		ssize_t n = writev(f, parts, 2);
		if (n <= 0) {
			printf("written %ld, error %d\n", done, number(n));
			break;
		}
		done += n;
	}
	struct stat s;
	fstat(f, &s);
	printf("size %lld\n", (long long)s.st_size);
	snprintf(name, sizeof name, "%s.d", argv[1]);
	printf("mkdir %d\n", number(mkdir(name, 0700)));
	snprintf(name, sizeof name, "%s.f", argv[1]);
	printf("open %d\n", number(open(name, O_CREAT | O_WRONLY, 0600)));
	printf("truncate %d\n", number(ftruncate(f, done + (1 << 20))));
	printf("too large %d\n", number(ftruncate(f, 0x7fffffffffffffff)));
	printf("shrink %d\n", number(ftruncate(f, 0)));
	lseek(f, 0, SEEK_SET);
	printf("again %zd\n", write(f, a, sizeof a));
	return 0;
}
