;; the function needs a realloc function
(component (core module $m (func (export "f") (param i32 i32)) (memory (export "m") 1)) (core instance $i (instantiate $m))
  (func (param "a" string) (canon lift (core func $i "f") (memory (core memory $i "m")))))
