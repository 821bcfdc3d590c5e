;; it is a function [] -> [], where [i32] -> [] is needed
(component (component $c (import "m" (core module (export "f" (func (param i32)))))) (core module $m (func (export "f")))
  (instance (instantiate $c (with "m" (core module $m)))))
