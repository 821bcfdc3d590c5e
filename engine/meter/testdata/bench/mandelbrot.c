// Floats, and a loop that ends at a different time for each point.
int run(int n) {
  int inside = 0;
  for (int py = 0; py < n; py++)
    for (int px = 0; px < n; px++) {
      double x0 = 3.0 * px / n - 2, y0 = 2.0 * py / n - 1, x = 0, y = 0;
      int i = 0;
      for (; i < 200 && x * x + y * y < 4; i++) {
        double t = x * x - y * y + x0;
        y = 2 * x * y + y0, x = t;
      }
      inside += i == 200;
    }
  return inside;
}
