;; an alias of a type outside that refers to resources there
(component $c (import "r" (type $r (sub resource))) (component (alias outer $c $r (type))))
