// Short loops over bytes.
static unsigned char composite[1 << 20];
int run(int n) {
  int found = 0;
  for (int i = 0; i < n; i++) composite[i] = 0;
  for (int i = 2; i < n; i++) {
    if (composite[i]) continue;
    found++;
    for (int j = i + i; j < n; j += i) composite[j] = 1;
  }
  return found;
}
