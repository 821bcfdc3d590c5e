;; it is a type enum of 1, where enum of 2 is needed
(component (component $c (type $r (enum "a" "b")) (import "t" (type (eq $r)))) (type $r (enum "a"))
  (instance (instantiate $c (with "t" (type $r)))))
