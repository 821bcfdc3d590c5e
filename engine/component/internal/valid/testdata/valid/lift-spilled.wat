(component (core module $m (func (export "f") (param i32) (result i32) unreachable) (memory (export "m") 1)
    (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)) (core instance $i (instantiate $m))
  (type $t (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8))
  (func (param "a" $t) (param "b" $t) (result $t) (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r")))))
