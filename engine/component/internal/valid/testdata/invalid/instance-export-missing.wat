;; "i": "f": it is needed, and not there
(component (component $c (import "i" (instance (export "f" (func))))) (import "i" (instance $i))
  (instance (instantiate $c (with "i" (instance $i)))))
