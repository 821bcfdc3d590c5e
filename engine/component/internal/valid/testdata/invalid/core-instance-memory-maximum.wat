;; its limits are wider
(component (core module $e (memory (export "x") 1 3)) (core instance $e (instantiate $e)) (core module $m (import "a" "x" (memory 1 2)))
  (core instance (instantiate $m (with "a" (instance $e)))))
