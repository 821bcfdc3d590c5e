;; it is a global of another type
(component (core module $e (global (export "x") i32 i32.const 0)) (core instance $e (instantiate $e)) (core module $m (import "a" "x" (global i64)))
  (core instance (instantiate $m (with "a" (instance $e)))))
