;; it is a global of another type
(component (core module $e (global (export "x") (mut i32) i32.const 0)) (core instance $e (instantiate $e)) (core module $m (import "a" "x" (global i32)))
  (core instance (instantiate $m (with "a" (instance $e)))))
