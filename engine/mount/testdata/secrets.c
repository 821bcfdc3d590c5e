// Does what a program does with a read-only folder, and prints what that answers.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int number(int result) { return result < 0 ? errno : 0; }

int main(int argc, char **argv) {
	char buf[100];
	struct stat s;
	struct dirent **names;
	if (chdir(argv[1]) < 0)
		return 1;
	int n = scandir(argv[1], &names, NULL, alphasort);
	for (int i = 0; i < n; i++)
		printf("%s ", names[i]->d_name);
	int f = open("token", O_RDONLY);
	ssize_t got = read(f, buf, 3);
	printf("\nread %.*s, ", (int)got, buf);
	got = pread(f, buf, sizeof buf, 1);
	printf("pread %.*s, at %lld\n", (int)got, buf, (long long)lseek(f, -1, SEEK_END));
	fstat(f, &s);
	printf("size %lld, file %d\n", (long long)s.st_size, S_ISREG(s.st_mode));
	printf("write %d\n", number((int)write(f, "x", 1)));
	printf("create %d\n", number(open("new", O_CREAT | O_WRONLY, 0600)));
	printf("change %d\n", number(open("token", O_RDWR)));
	printf("missing %d\n", number(open("no", O_RDONLY)));
	printf("below %d\n", number(open("token/x", O_RDONLY)));
	printf("unlink %d\n", number(unlink("token")));
	printf("mkdir %d\n", number(mkdir("d", 0700)));
	printf("readlink %d\n", number((int)readlink("token", buf, sizeof buf)));
	return 0;
}
