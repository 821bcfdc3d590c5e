(component (component $c (import "m" (core module (import "a" "f" (func)) (export "g" (func (result i32))))))
  (core module $m (func (export "g") (result i32) i32.const 1) (func (export "more")))
  (instance (instantiate $c (with "m" (core module $m)))))
