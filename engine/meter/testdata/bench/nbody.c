// Floats in short loops, with divisions and roots.
static double p[5][3], v[5][3], m[5];
int run(int n) {
  for (int i = 0; i < 5; i++) {
    m[i] = 1.0 / (i + 1);
    for (int k = 0; k < 3; k++) p[i][k] = i * 3 + k, v[i][k] = 0.01 * (k - i);
  }
  for (int step = 0; step < n; step++) {
    for (int i = 0; i < 5; i++)
      for (int j = i + 1; j < 5; j++) {
        double d[3], d2 = 0;
        for (int k = 0; k < 3; k++) d[k] = p[i][k] - p[j][k], d2 += d[k] * d[k];
        double mag = 0.001 / (d2 * __builtin_sqrt(d2) + 1e-9);
        for (int k = 0; k < 3; k++) v[i][k] -= d[k] * m[j] * mag, v[j][k] += d[k] * m[i] * mag;
      }
    for (int i = 0; i < 5; i++)
      for (int k = 0; k < 3; k++) p[i][k] += 0.001 * v[i][k];
  }
  return (int)(p[0][0] * 1e6);
}
