;; it is a function, where a global is needed
(component (core module $e (func (export "x"))) (core instance $e (instantiate $e)) (core module $m (import "a" "x" (global i32)))
  (core instance (instantiate $m (with "a" (instance $e)))))
