;; its limits are wider
(component (core module $e (table (export "x") 1 funcref)) (core instance $e (instantiate $e)) (core module $m (import "a" "x" (table 2 funcref)))
  (core instance (instantiate $m (with "a" (instance $e)))))
