;; it is a table of funcref, where externref is needed
(component (core module $e (table (export "x") 1 funcref)) (core instance $e (instantiate $e)) (core module $m (import "a" "x" (table 1 externref)))
  (core instance (instantiate $m (with "a" (instance $e)))))
