// Loops within loops over floats.
enum { N = 128 };
static double a[N][N], b[N][N], c[N][N];
int run(int n) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) a[i][j] = i + j, b[i][j] = i - j;
  for (int round = 0; round < n; round++)
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) {
        double s = 0;
        for (int k = 0; k < N; k++) s += a[i][k] * b[k][j];
        c[i][j] = s + c[j][i] * 0.5;
      }
  return (int)c[3][5];
}
