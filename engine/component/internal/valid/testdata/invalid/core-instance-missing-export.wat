;; the argument for the imports from "a" has no "f"
(component (core module $e) (core instance $e (instantiate $e)) (core module $m (import "a" "f" (func)))
  (core instance (instantiate $m (with "a" (instance $e)))))
