// A loop around a large switch, as interpreters have it.
static const unsigned char program[] = {0, 5, 1, 3, 2, 7, 3, 1, 4, 2, 5, 9, 6, 4, 7, 6, 2, 3, 1, 1, 0, 2, 6, 5, 4, 4, 3, 3, 8, 0};
int run(int n) {
  unsigned acc = 1, reg = 7;
  for (int round = 0; round < n; round++)
    for (int pc = 0;; pc += 2) {
      unsigned arg = program[pc + 1];
      switch (program[pc]) {
      case 0: acc += arg; continue;
      case 1: acc *= arg | 1; continue;
      case 2: acc ^= reg; continue;
      case 3: reg += acc >> arg; continue;
      case 4: acc -= arg; continue;
      case 5: if (acc & 1) reg ^= arg; continue;
      case 6: acc = acc << 3 | acc >> 29; continue;
      case 7: reg = reg * 31 + arg; continue;
      }
      break;
    }
  return acc ^ reg;
}
