;; "c": "f": it is needed, and not there
(component (component $o (import "c" (component (export "f" (func))))) (component $i)
  (instance (instantiate $o (with "c" (component $i)))))
