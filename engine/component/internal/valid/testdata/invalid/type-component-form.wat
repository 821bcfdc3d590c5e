;; type 0 is not of a component
(component (type $u (instance)) (import "c" (component (type $u))))
