// Recursion, comparisons and swaps.
static unsigned x[1 << 16];
static void sort(int lo, int hi) {
  while (lo < hi) {
    unsigned pivot = x[lo + (hi - lo) / 2];
    int i = lo, j = hi;
    while (i <= j) {
      while (x[i] < pivot) i++;
      while (x[j] > pivot) j--;
      if (i <= j) {
        unsigned t = x[i];
        x[i++] = x[j], x[j--] = t;
      }
    }
    if (j - lo < hi - i) {
      sort(lo, j);
      lo = i;
    } else {
      sort(i, hi);
      hi = j;
    }
  }
}
int run(int n) {
  unsigned seed = 1;
  for (int i = 0; i < n; i++) x[i] = seed = seed * 1664525u + 1013904223u;
  sort(0, n - 1);
  return x[n / 2];
}
