;; "c": "f": it is needed, and not there
(component (component $o (import "c" (component))) (component $i (import "f" (func)))
  (instance (instantiate $o (with "c" (component $i)))))
