;; unsupported: pages of other sizes
;; refused: limits 0x8 of a memory are not known
(component (core module $m (memory 1 (pagesize 1))))
