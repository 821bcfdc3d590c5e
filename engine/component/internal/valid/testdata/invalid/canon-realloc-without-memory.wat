;; a realloc function is given, and no memory
(component (core module $m (func (export "f")) (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m)) (func (canon lift (core func $i "f") (realloc (core func $i "r")))))
