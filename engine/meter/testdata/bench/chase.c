// A walk through memory at random.
static unsigned next[1 << 18];
int run(int n) {
  unsigned at = 0, mask = (1 << 18) - 1;
  for (unsigned i = 0; i <= mask; i++) next[i] = (i * 1103515245u + 12345u) & mask;
  for (int i = 0; i < n; i++) at = next[at];
  return at;
}
