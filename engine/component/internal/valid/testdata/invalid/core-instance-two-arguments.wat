;; two arguments are for the imports from "a"
(component (core module $m) (core instance $e (instantiate $m))
  (core instance (instantiate $m (with "a" (instance $e)) (with "a" (instance $e)))))
