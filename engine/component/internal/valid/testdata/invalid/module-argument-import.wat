;; the module imports "a" "f", which is not given to it
(component (component $c (import "m" (core module))) (core module $m (import "a" "f" (func)))
  (instance (instantiate $c (with "m" (core module $m)))))
