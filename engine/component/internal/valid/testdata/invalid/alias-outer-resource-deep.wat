;; an alias of a type outside that refers to resources there
(component $c (import "r" (type $r (sub resource))) (type $f (func (param "a" (list (own $r)))))
  (component (component (alias outer $c $f (type)))))
