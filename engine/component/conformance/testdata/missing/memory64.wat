;; unsupported: memories of 64 bits
;; refused: 64-bit memories
(component (core module $m (memory i64 1)))
