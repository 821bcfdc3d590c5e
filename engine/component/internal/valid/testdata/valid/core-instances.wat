(component
  (core module $e (func (export "f") (param i32)) (memory (export "m") 2 3) (table (export "t") 5 funcref) (global (export "g") (mut i32) i32.const 0))
  (core instance $e (instantiate $e))
  (core module $m (import "a" "f" (func (param i32))) (import "a" "m" (memory 1 4)) (import "a" "t" (table 1 funcref)) (import "a" "g" (global (mut i32))))
  (core instance (instantiate $m (with "a" (instance $e)) (with "unused" (instance $e)))))
