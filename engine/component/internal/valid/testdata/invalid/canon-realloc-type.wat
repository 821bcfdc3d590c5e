;; the realloc function is [] -> [], where [i32 i32 i32 i32] -> [i32] is needed
(component (core module $m (func (export "f")) (memory (export "m") 1)) (core instance $i (instantiate $m))
  (func (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "f")))))
