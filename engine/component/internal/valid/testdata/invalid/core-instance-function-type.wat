;; it is a function [i32] -> [], where [] -> [] is needed
(component (core module $e (func (export "x") (param i32))) (core instance $e (instantiate $e)) (core module $m (import "a" "x" (func)))
  (core instance (instantiate $m (with "a" (instance $e)))))
